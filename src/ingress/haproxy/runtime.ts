// effect: HAProxy's control socket
// Commands to a running HAProxy, in its interactive mode: each ends with a prompt, so that many can be under way at once.

import { connect, type Socket } from 'node:net'
import type { Step } from '#ingress/haproxy/steps.ts'

export class RuntimeError extends Error {
  readonly code: 'Closed' | 'Refused'
  constructor(code: 'Closed' | 'Refused', message: string) {
    super(message)
    this.name = 'RuntimeError'
    this.code = code
  }
}

/** How much may be under way: HAProxy reads no further while a command of this connection works. */
const mostBytes = 8000

export class Runtime implements Disposable {
  readonly #socket: Socket
  #text = ''
  #waiting: { resolve(answer: string): void; reject(error: Error): void }[] = []
  #failure: RuntimeError | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8').on('data', (part: string) => this.#hear(part))
    socket.on('error', (error) => this.#fail(error.message))
    socket.on('close', () => this.#fail('HAProxy has closed the connection'))
  }

  /** Throws where nobody listens at the path. */
  static async open(path: string): Promise<Runtime> {
    const socket = connect(path)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    const runtime = new Runtime(socket)
    await runtime.ask('prompt')
    await runtime.ask('set timeout cli 1d')
    return runtime
  }

  /** One command, and what it answers without blank ends. */
  ask(command: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    if (this.#failure !== undefined) {
      reject(this.#failure)
      return promise
    }
    this.#waiting.push({ resolve, reject })
    this.#socket.write(`${command}\n`)
    return promise
  }

  /** All of them in order. Throws RuntimeError at the first that HAProxy does not do; some after it may be done then. */
  async perform(steps: readonly Step[]): Promise<void> {
    for (let at = 0; at < steps.length;) {
      const batch: Step[] = []
      for (
        let bytes = 0;
        at < steps.length && (batch.length === 0 || bytes + steps[at]!.command.length < mostBytes);
        at++
      ) {
        batch.push(steps[at]!)
        bytes += steps[at]!.command.length + 1
      }
      const answers = await Promise.all(batch.map(({ command }) => this.ask(command)))
      for (const [i, answer] of answers.entries())
        if (!batch[i]!.answer.test(answer))
          throw new RuntimeError('Refused', `${batch[i]!.command.split('\n')[0]}: ${answer || 'no answer'}`)
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #hear(part: string): void {
    this.#text += part
    for (let end = this.#text.indexOf('\n> '); end >= 0; end = this.#text.indexOf('\n> ')) {
      const answer = this.#text.slice(0, end).replace(/^(\+ )+/, '')
      this.#text = this.#text.slice(end + 3)
      this.#waiting.shift()?.resolve(answer.trim())
    }
  }

  #fail(message: string): void {
    this.#failure ??= new RuntimeError('Closed', message)
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}
