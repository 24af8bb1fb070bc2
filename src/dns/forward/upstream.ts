// effect: UDP and TCP sockets towards upstream servers
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { TcpConnection } from '#dns/forward/tcp-connection.ts'
import { decodeMessage, encodeMessage, type Message, queryMessage } from '#dns/wire/message.ts'
import { classIn } from '#dns/wire/record.ts'

export type UpstreamAddress = { readonly address: string; readonly port: number }

export type UpstreamQuestion = {
  readonly name: string
  readonly type: number
  readonly transport: 'udp' | 'tcp'
  readonly dnssecOk: boolean
  readonly timeoutMs: number
}

/** `failed`: no answer came in time, and why. */
export type Outcome =
  | { readonly kind: 'answered'; readonly message: Message }
  | { readonly kind: 'failed'; readonly reason: string }

export type Upstream = UpstreamAddress & {
  /**
   * Asks one question: by UDP from a random port with a random id, by TCP where the answer is cut short or TCP is
   * wanted. An answer that does not repeat the question is not looked at.
   */
  ask(question: UpstreamQuestion): Promise<Outcome>
  close(): void
}

const udpSize = 1232

/** TCP connections are kept until they were unused for `expireMs`. */
export function createUpstream(
  { address, port }: UpstreamAddress,
  { expireMs }: { readonly expireMs: number },
): Upstream {
  const connection = new TcpConnection({ address, port }, expireMs)
  return {
    address,
    port,
    async ask(question) {
      if (question.transport === 'udp') {
        const outcome = await askByUdp({ address, port }, question)
        if (outcome.kind === 'failed' || !outcome.message.truncated) return outcome
      }
      return connection.ask((id) => encodeQuestion(id, question), isAnswerTo(question), question.timeoutMs)
    },
    close: () => connection.close(),
  }
}

const encodeQuestion = (id: number, { name, type, dnssecOk }: UpstreamQuestion): Uint8Array =>
  encodeMessage(queryMessage(id, { name, type, class: classIn }, { udpSize, version: 0, dnssecOk, options: [] }))

const isAnswerTo =
  (asked: UpstreamQuestion) =>
  (message: Message | undefined): message is Message => {
    const [question, ...more] = message?.questions ?? []
    return (
      message?.response === true && more.length === 0 && question?.name === asked.name && question.type === asked.type
    )
  }

function askByUdp({ address, port }: UpstreamAddress, question: UpstreamQuestion): Promise<Outcome> {
  const id = randomInt(0x10000)
  const isAnswer = isAnswerTo(question)
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const finish = (outcome: Outcome) => {
    clearTimeout(timer)
    resolve(outcome)
    socket.close()
  }
  const fail = (reason: string) => finish({ kind: 'failed', reason: `udp ${address}:${port}: ${reason}` })
  const timer = setTimeout(() => fail('i/o timeout'), question.timeoutMs)
  socket.on('error', (error) => fail(error.message))
  // Connected: datagrams from anyone else never arrive, and a refusal (ICMP) is an error at once.
  socket.connect(port, address, (error?: Error) => {
    if (error === undefined) socket.send(encodeQuestion(id, question))
  })
  socket.on('message', (bytes) => {
    const message = decodeMessage(bytes)
    if (isAnswer(message) && message.id === id) finish({ kind: 'answered', message })
  })
  return promise.finally(() => socket.removeAllListeners())
}
