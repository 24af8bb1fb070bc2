// effect: WebSocket to the API server
// Runs a command in a container, as `kubectl exec` does: one WebSocket with a channel for each stream.
// Protocols: v5.channel.k8s.io (tells that standard input is over) and v4.channel.k8s.io.
import type { Readable, Writable } from 'node:stream'
import { WebSocket } from 'ws'
import type { Status } from '#api/meta.ts'
import type { ClientConfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'

export type ExecOptions = {
  readonly namespace: string
  readonly pod: string
  /** default: the pod's first */
  readonly container?: string
  readonly command: readonly string[]
  readonly tty: boolean
  readonly stdin: Readable | undefined
  readonly stdout: Writable
  readonly stderr: Writable
  readonly signal: AbortSignal
}

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

/** Answers the command's exit code. Throws a UserError where it could not be run. */
export function execInPod(config: ClientConfig, options: ExecOptions): Promise<number> {
  const { ca, cert, key } = config
  const socket = new WebSocket(urlOf(config, options), ['v5.channel.k8s.io', 'v4.channel.k8s.io'], {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  })
  return new Promise((resolve, reject) => {
    let code: number | undefined
    const stop = () => socket.terminate()
    options.signal.addEventListener('abort', stop, { once: true })
    socket.on('open', () => {
      if (options.stdin) sendInput(socket, options.stdin, options.tty)
      if (options.tty) sendSizes(socket)
    })
    socket.on('message', (data: Buffer) => {
      const [kind, rest] = [data[0], data.subarray(1)]
      if (kind === channel.stdout) options.stdout.write(rest)
      if (kind === channel.stderr) options.stderr.write(rest)
      if (kind === channel.error) {
        const end = endOf(JSON.parse(rest.toString()) as Status)
        if (typeof end === 'number') code = end
        else reject(end)
      }
    })
    socket.on('unexpected-response', (_request, response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => reject(refusal(Buffer.concat(parts).toString(), response.statusCode)))
    })
    socket.on('error', reject)
    socket.on('close', () => {
      options.signal.removeEventListener('abort', stop)
      if (code === undefined)
        reject(new UserError('the connection ended before the command did', { code: 'ExecBroken' }))
      else resolve(code)
    })
  })
}

function urlOf({ server }: ClientConfig, { namespace, pod, container, command, tty, stdin }: ExecOptions): URL {
  const url = new URL(`/api/v1/namespaces/${namespace}/pods/${pod}/exec`, server.replace(/^http/, 'ws'))
  const parameters = {
    stdout: 'true',
    stderr: String(!tty),
    stdin: String(stdin !== undefined),
    tty: String(tty),
    ...(container !== undefined && { container }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.append(name, value)
  for (const word of command) url.searchParams.append('command', word)
  return url
}

function sendInput(socket: WebSocket, input: Readable, tty: boolean): void {
  input.on('data', (bytes: Buffer) => socket.send(Buffer.concat([Buffer.of(channel.stdin), bytes])))
  input.on('end', () => {
    if (!tty && socket.protocol.startsWith('v5')) socket.send(Buffer.of(channel.close, channel.stdin))
  })
}

function sendSizes(socket: WebSocket): void {
  const send = () => {
    const { columns: Width, rows: Height } = process.stdout
    socket.send(Buffer.concat([Buffer.of(channel.resize), Buffer.from(JSON.stringify({ Width, Height }))]))
  }
  send()
  process.stdout.on('resize', send)
}

/** An exit code, or what went wrong before there was one. */
function endOf(status: Status): number | UserError {
  if (status.status === 'Success') return 0
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')
  return cause === undefined
    ? new UserError(status.message ?? 'the command could not be run', { code: 'ExecFailed' })
    : Number(cause.message)
}

function refusal(body: string, statusCode: number | undefined): UserError {
  let message: string | undefined
  try {
    message = (JSON.parse(body) as Status).message
  } catch {
    message = body.trim()
  }
  return new UserError(message || `the server answered ${statusCode}`, { code: 'ExecRefused' })
}
