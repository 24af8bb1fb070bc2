// effect: nodes of a cluster
// `fairway node add|start|stop|kill|delete`: computers that come and go.
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { requireRunning } from '#cli/command/running-cluster.ts'
import { systemClock } from '#daemon/clock.ts'
import { type Command, type CommandContext, defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { duration, type Flags, list, type OptionsOf } from '#daemon/flags.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { type NodePart, nodeParts } from '#lab/cluster.ts'
import { lockCluster } from '#lab/lock.ts'
import { checkPlatform } from '#lab/machine.ts'
import { addNode as add, type Context, deleteNode, killNode, startNode, stopNode } from '#lab/nodes.ts'
import { observePlatform } from '#lab/observe-machine.ts'
import type { ClusterPlan } from '#lab/plan.ts'
import { createProgress } from '#lab/progress.ts'

const partFlag = list({
  help: `only these parts of it: ${nodeParts.join(', ')}`,
  placeholder: 'PART',
})
const graceFlag = duration({ help: 'how long pods and processes may take to end', default: '5s' })

export const nodeAdd = defineCommand({
  name: 'node add',
  summary: 'add a node to a cluster that runs',
  usage: '[NAME] [flags]',
  description: 'Without a name it is called node-1, node-2 ..., whichever is free.',
  examples: ['fairway node add', 'fairway node add worker-a --name small'],
  flags: clusterFlags,
  async run({ name }, rest, context) {
    const [node] = takesWords('node add', rest, 0, 1)
    return change(name, context, async (plan, inner) => {
      context.stdout.write(`${await add(plan, node, inner)}\n`)
    })
  },
})

export const nodeStart = ofOneNode({
  name: 'node start',
  summary: 'start a node that was stopped or killed, or parts of it',
  usage: 'NAME [--part PART] [flags]',
  examples: ['fairway node start node-2', 'fairway node start node-2 --part proxy'],
  flags: { part: partFlag, ...clusterFlags },
  act: (plan, node, { part }, context) => startNode(plan, node, checkParts(part), context),
})

export const nodeStop = ofOneNode({
  name: 'node stop',
  summary: 'shut a node down, or end parts of it',
  usage: 'NAME [--part PART] [flags]',
  description:
    'The whole node is shut down with its pods, and gone from the network. With --part only these parts end: pods, rules\n' +
    'and routes stay as they are, but nobody keeps them up to date.',
  examples: ['fairway node stop node-2', 'fairway node stop node-2 --part proxy   # Services no longer change there'],
  flags: { part: partFlag, gracePeriod: graceFlag, ...clusterFlags },
  act: (plan, node, { part, gracePeriod }, context) => stopNode(plan, node, checkParts(part), gracePeriod, context),
})

export const nodeKill = ofOneNode({
  name: 'node kill',
  summary: 'pull the plug of a node, or kill parts of it',
  usage: 'NAME [--part PART] [flags]',
  examples: ['fairway node kill node-3', 'fairway node kill node-3 --part agent'],
  flags: { part: partFlag, ...clusterFlags },
  act: (plan, node, { part }, context) => killNode(plan, node, checkParts(part), context),
})

export const nodeDelete = ofOneNode({
  name: 'node delete',
  summary: 'take a node away for good, with its pods and all that it kept',
  usage: 'NAME [flags]',
  examples: ['fairway node delete node-3'],
  flags: { gracePeriod: graceFlag, ...clusterFlags },
  act: (plan, node, { gracePeriod }, context) => deleteNode(plan, node, gracePeriod, context),
})

/** A command about one node that is named. */
function ofOneNode<const F extends Flags & typeof clusterFlags>({
  act,
  ...command
}: Omit<Command<F>, 'run'> & {
  act(plan: ClusterPlan, node: string, options: OptionsOf<F>, context: Context): Promise<void>
}): Command<F> {
  return defineCommand({
    ...command,
    async run(options, rest, context) {
      const [node] = takesWords(command.name, rest, 1, 1)
      return change(options.name as string, context, (plan, inner) => act(plan, node!, options, inner))
    },
  })
}

async function change(
  cluster: string,
  { signal, stderr }: CommandContext,
  act: (plan: ClusterPlan, context: Context) => Promise<void>,
): Promise<number> {
  checkPlatform(observePlatform())
  requireCluster(cluster)
  using _lock = lockCluster(cluster)
  const progress = createProgress(stderr, systemClock)
  try {
    await act(requireRunning(cluster), { progress, signal })
    return 0
  } finally {
    progress.end()
  }
}

function takesWords(command: string, words: readonly string[], least: number, most: number): readonly string[] {
  if (words.length >= least && words.length <= most) return words
  throw new UserError(words.length < least ? `${command}: which node?` : `${command}: one node at a time`, {
    code: 'BadArgument',
    exitCode: 2,
    remedy: `for example: fairway ${command} node-2`,
  })
}

function checkParts(words: readonly string[]): readonly NodePart[] {
  const unknown = words.find((word) => !nodeParts.includes(word as NodePart))
  if (unknown === undefined) return words as readonly NodePart[]
  throw new UserError(`a node has no part "${unknown}"`, {
    code: 'BadFlag',
    exitCode: 2,
    remedy: `it has ${nodeParts.join(', ')}`,
  })
}
