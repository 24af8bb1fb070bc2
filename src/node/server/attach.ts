// effect: log files of containers
// Attaching to a container that runs: what it says from now on. Its input is not passed on yet.
import { parseLogLine } from '#node/logs/line.ts'
import { readLog } from '#node/logs/read-log.ts'
import type { ContainerStatus, Runtime, Streams } from '#node/runtime.ts'

/** Passes on both streams until the container ends; answers its exit code. */
export async function attachOutput(
  runtime: Runtime,
  { id, logPath }: ContainerStatus,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
): Promise<number> {
  const follow = async (stream: 'stdout' | 'stderr') => {
    const to = stream === 'stdout' ? stdout : stderr
    if (to === undefined) return
    const query = {
      follow: true,
      previous: false,
      timestamps: false,
      tailLines: 0,
      limitBytes: undefined,
      sinceNs: undefined,
      stream,
    }
    const isLive = () => runtime.containerStatus(id)?.state === 'running'
    const onLiveChange = (listener: () => void) => runtime.onChange(listener)
    for await (const piece of readLog(logPath, { query, signal, parse: parseLogLine, isLive, onLiveChange }))
      to.write(piece)
  }
  await Promise.all([follow('stdout'), follow('stderr')])
  return runtime.containerStatus(id)?.exitCode ?? 0
}
