// effect: log files
import { closeSync, existsSync, openSync, readdirSync, readSync, watch } from 'node:fs'
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { type CommandContext, defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { number, toggle } from '#daemon/flags.ts'
import { nearest } from '#lib/nearest.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import type { ClusterPlan } from '#lab/plan.ts'

export const logs = defineCommand({
  name: 'logs',
  summary: "show a part's log",
  usage: 'PART [flags]',
  description: 'Without a part it lists those that have a log. The logs of pods are shown by kubectl logs.',
  examples: ['fairway logs control-plane', 'fairway logs kube-proxy-node-1 -f', 'fairway logs node-1 --tail 20'],
  flags: {
    follow: toggle({ help: 'go on with what is written from now on', short: 'f' }),
    tail: number({ help: 'only the last lines', min: 0 }),
    ...clusterFlags,
  },
  async run({ follow, tail, name }, [part, ...more], context) {
    const plan = requireCluster(name)
    const parts = partsOf(plan)
    if (part === undefined) {
      context.stdout.write(`${parts.join('\n')}\n`)
      return 0
    }
    if (more.length > 0 || !parts.includes(part)) throw noSuchPart([part, ...more].join(' '), parts)
    await show(`${plan.paths.logs}/${part}.log`, tail, follow, context)
    return 0
  },
})

const partsOf = ({ paths }: ClusterPlan): readonly string[] =>
  existsSync(paths.logs)
    ? readdirSync(paths.logs)
        .filter((file) => file.endsWith('.log'))
        .map((file) => file.slice(0, -'.log'.length))
        .sort()
    : []

function noSuchPart(part: string, parts: readonly string[]): UserError {
  const near = nearest(part, parts)
  return new UserError(`there is no log of "${part}"`, {
    code: 'NoSuchPart',
    remedy: near === undefined ? `there are: ${parts.join(', ')}` : `did you mean: fairway logs ${near}`,
  })
}

/** The end of a file, then what is added to it; the kernel says when. */
async function show(
  path: string,
  tail: number | undefined,
  follow: boolean,
  { stdout, signal }: CommandContext,
): Promise<void> {
  const file = openSync(path, 'r')
  const buffer = Buffer.alloc(64 * 1024)
  const decoder = new TextDecoder()
  const readOn = (): string => {
    let text = ''
    for (;;) {
      const length = readSync(file, buffer)
      if (length === 0) return text
      text += decoder.decode(buffer.subarray(0, length), { stream: true })
    }
  }
  try {
    const lines = readOn().split('\n')
    stdout.write((tail === undefined ? lines : lines.slice(-tail - 1)).join('\n'))
    if (!follow) return
    const watcher = watch(path, () => stdout.write(readOn()))
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    watcher.close()
  } finally {
    closeSync(file)
  }
}
