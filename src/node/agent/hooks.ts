// effect: commands in containers, requests to pods
// What a container wants to happen after its start and before its stop.
import type { Container } from '#api/core.ts'
import type { Typed } from '#api/schema/schema.ts'
import type { AgentContext } from '#node/agent/agent-context.ts'
import { messageOf } from '#daemon/error.ts'
import { httpGet } from '#node/probe/http-get.ts'
import { httpTarget, resolvePort } from '#node/probe/target.ts'

export type Handler = Typed<'core', 'LifecycleHandler'>

/** Runs the hook to its end or to the signal's; answers what went wrong, if anything did. */
export async function runHook(
  { runtime, clock }: Pick<AgentContext, 'runtime' | 'clock'>,
  handler: Handler,
  whom: { readonly container: Container; readonly id: string; readonly podIp: string },
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (handler.exec) {
    const command = handler.exec.command ?? []
    try {
      const ended = runtime.execSync(whom.id, command, timeoutMs)
      const { exitCode, stderr } = await (signal ? Promise.race([ended, rejectAt(signal)]) : ended)
      if (exitCode === 0) return undefined
      return `command '${command.join(' ')}' exited with ${exitCode}: ${Buffer.from(stderr).toString().slice(0, 1024)}`
    } catch (error) {
      return messageOf(error)
    }
  }
  if (handler.httpGet) {
    const target = httpTarget(handler.httpGet, whom.container, whom.podIp, 'lifecycle')
    if (typeof target === 'string') return target
    const answer = await httpGet(target, timeoutMs || 30_000, signal)
    return answer.kind === 'failed' ? answer.message : undefined
  }
  if (handler.sleep) {
    await clock.sleep(Math.min(1000 * handler.sleep.seconds, timeoutMs || Infinity), signal)
    return undefined
  }
  if (handler.tcpSocket)
    return resolvePort(handler.tcpSocket.port, whom.container) === undefined ? 'no such port' : undefined
  return 'invalid handler'
}

const rejectAt = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    const say = () => reject(new Error('the hook was cut short'))
    if (signal.aborted) say()
    signal.addEventListener('abort', say, { once: true })
  })
