// A part of Fairway as a process that is killed now and then, and started anew at once.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import type { Random } from '#test/random.ts'

const start = (words: readonly string[]): ChildProcess =>
  spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })

export class KilledPart implements AsyncDisposable {
  readonly #words: readonly string[]
  #process: ChildProcess
  /** the end of what it said */
  said = ''

  /** `fairway WORDS...` */
  constructor(words: readonly string[]) {
    this.#words = words
    this.#process = this.#start()
  }

  #start(): ChildProcess {
    const child = start(this.#words)
    child.stderr!.on('data', (text: Buffer) => (this.said = (this.said + text.toString()).slice(-4000)))
    return child
  }

  async killAndStart(): Promise<void> {
    await this.#kill('SIGKILL')
    this.#process = this.#start()
  }

  async #kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill(signal)
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill('SIGTERM')
  }
}

/** Does something, waits a moment, and kills one of them: so many times. A start of a part takes half a second. */
export async function killNowAndThen(
  parts: readonly KilledPart[],
  { random, rounds, act }: { readonly random: Random; readonly rounds: number; act(): Promise<void> },
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await act()
    await sleep(random.integer(0, 1200))
    await random.pick(parts).killAndStart()
  }
}

export type OwnServer = AsyncDisposable & { readonly client: Client; readonly kubeconfig: string }

/** An API server of one's own, with its files in this folder. */
export async function startServer(folder: string): Promise<OwnServer> {
  const data = ['--data-file', join(folder, 'store.db')]
  const server = start(['apiserver', '--bind-address', '127.0.0.1', '--secure-port', '0', ...data])
  let said = ''
  await new Promise<void>((resolve, reject) => {
    server.stderr!.on('data', (text: Buffer) => {
      said += text.toString()
      if (said.includes('ready on port')) resolve()
    })
    server.once('exit', () => reject(new Error(said)))
  })
  const kubeconfig = join(folder, 'kubeconfig')
  const client = connect(loadKubeconfig(kubeconfig))
  return {
    client,
    kubeconfig,
    [Symbol.asyncDispose]: async () => {
      client.close()
      server.kill('SIGKILL')
      await once(server, 'exit')
    },
  }
}
