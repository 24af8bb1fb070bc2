// effect: a virtual machine
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '#daemon/error.ts'
import { encodeArchive } from '#lab/vm/archive.ts'
import { type Kernel, planArchive, planQemu, type Port, ports, type VmOptions } from '#lab/vm/plan.ts'

export type VmStreams = {
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

/**
 * Runs a command in a virtual machine with this machine's root, and answers its exit code. Throws a UserError where the
 * machine ended before the command did.
 */
export async function runVm(
  kernel: Kernel,
  options: VmOptions,
  { stdin, stdout, stderr }: VmStreams,
  signal: AbortSignal,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-vm-'))
  const files = {
    archive: join(folder, 'archive'),
    console: join(folder, 'console'),
    socket: (port: Port) => join(folder, port),
  }
  let code: number | undefined
  const receive: Record<Port, (socket: Socket) => void> = {
    input: (socket) => void stdin.pipe(socket),
    output: (socket) => void socket.pipe(stdout, { end: false }),
    errors: (socket) => void socket.pipe(stderr, { end: false }),
    result: (socket) =>
      void socket.setEncoding('utf8').on('data', (text: string) => (code = Number.parseInt(text, 10))),
  }
  const servers = ports.map((port) =>
    createServer((socket) => receive[port](socket.on('error', ignore))).listen(files.socket(port)),
  )
  try {
    writeFileSync(files.archive, encodeArchive(planArchive(kernel, options, (path) => readFileSync(path))))
    await Promise.all(servers.map((server) => once(server, 'listening')))
    const words = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...planQemu(kernel, options, files)]
    const qemu = spawn('setpriv', words, { stdio: ['ignore', 'inherit', 'inherit'] })
    const stop = () => void qemu.kill('SIGKILL')
    signal.addEventListener('abort', stop)
    await once(qemu, 'close')
    signal.removeEventListener('abort', stop)
    if (code !== undefined) return code
    if (signal.aborted) throw signal.reason
    throw new UserError('the virtual machine ended before its command did', {
      code: 'VmFailed',
      remedy: `its console said:\n${readFileSync(files.console, 'utf8').trim().split('\n').slice(-30).join('\n')}`,
    })
  } finally {
    for (const server of servers) server.close()
    stdin.unpipe()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The guest goes away without a farewell; its exit code has arrived by then, or has not. */
const ignore = () => {}
