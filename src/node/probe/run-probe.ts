// effect: connections to pods, commands in containers
// One probe, carried out: HTTP, TCP, gRPC, a command. From the node's own network, as kubelet does it.
import { connect } from 'node:net'
import type { Container, Probe } from '#api/core.ts'
import { messageOf } from '#daemon/error.ts'
import { expand } from '#node/pod/expand.ts'
import { httpGet } from '#node/probe/http-get.ts'
import { explainDial, httpTarget, resolvePort } from '#node/probe/target.ts'
import { RuntimeError, type Runtime } from '#node/runtime.ts'

/** `warning` is a success worth an event; `unknown` says nothing about the container. */
export type ProbeResult = {
  readonly kind: 'success' | 'failure' | 'warning' | 'unknown'
  readonly message: string
}

const mostOutput = 10 * 1024

export async function runProbe(
  runtime: Runtime,
  probe: Probe,
  whom: { readonly container: Container; readonly containerId: string; readonly podIp: string },
): Promise<ProbeResult> {
  const { container, containerId, podIp } = whom
  const timeoutMs = 1000 * (probe.timeoutSeconds ?? 1)
  if (probe.exec) {
    const values = new Map((container.env ?? []).map(({ name, value = '' }) => [name, value]))
    const command = (probe.exec.command ?? []).map((word) => expand(word, values))
    return probeExec(runtime, containerId, command, timeoutMs)
  }
  if (probe.httpGet) {
    const target = httpTarget(probe.httpGet, container, podIp, 'probe')
    if (typeof target === 'string') return { kind: 'unknown', message: target }
    const answer = await httpGet(target, timeoutMs)
    if (answer.kind === 'failed') return { kind: 'failure', message: answer.message }
    if (answer.status < 200 || answer.status >= 400)
      return { kind: 'failure', message: `HTTP probe failed with statuscode: ${answer.status}` }
    return answer.isRedirected
      ? { kind: 'warning', message: `Probe terminated redirects, Response body: ${answer.body}` }
      : { kind: 'success', message: answer.body }
  }
  if (probe.tcpSocket) {
    const port = resolvePort(probe.tcpSocket.port, container)
    if (port === undefined) return { kind: 'unknown', message: `couldn't find port: ${probe.tcpSocket.port}` }
    return probeTcp(probe.tcpSocket.host || podIp, port, timeoutMs)
  }
  if (probe.grpc) {
    const { checkGrpc } = await import('#node/probe/grpc-check.ts')
    const { ok, message } = await checkGrpc(podIp, probe.grpc.port, probe.grpc.service ?? '', timeoutMs)
    return { kind: ok ? 'success' : 'failure', message }
  }
  return { kind: 'unknown', message: 'missing probe handler' }
}

async function probeExec(
  runtime: Runtime,
  id: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<ProbeResult> {
  try {
    const { exitCode, stdout, stderr } = await runtime.execSync(id, command, timeoutMs)
    const message = Buffer.concat([stdout, stderr]).subarray(0, mostOutput).toString()
    return { kind: exitCode === 0 ? 'success' : 'failure', message }
  } catch (error) {
    if (error instanceof RuntimeError) return { kind: 'failure', message: messageOf(error) }
    throw error
  }
}

function probeTcp(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs })
    const end = (kind: 'success' | 'failure', code?: string) => {
      socket.destroy()
      resolve({ kind, message: kind === 'success' ? '' : explainDial(host, port, code) })
    }
    socket.on('connect', () => end('success'))
    socket.on('timeout', () => end('failure', 'ETIMEDOUT'))
    socket.on('error', (error: NodeJS.ErrnoException) => end('failure', error.code))
  })
}
