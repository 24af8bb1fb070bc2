// effect: UDP and TCP sockets towards upstream servers
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { decodeMessage, encodeMessage, type Message } from '#dns/wire/message.ts'
import { classIn } from '#dns/wire/record.ts'

export type Upstream = { readonly address: string; readonly port: number }

const udpSize = 1232

/**
 * Asks one server one question: by UDP from a random port with a random id, by TCP where the answer is cut short.
 * Undefined where no answer comes in time. An answer that does not repeat the question is not looked at.
 */
export async function askUpstream(
  upstream: Upstream,
  name: string,
  type: number,
  o: { readonly timeoutMs: number; readonly tcp?: boolean; readonly dnssecOk?: boolean },
): Promise<Message | undefined> {
  const id = randomInt(0x10000)
  const query = encodeMessage({
    id,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [{ name, type, class: classIn }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: { udpSize, version: 0, dnssecOk: o.dnssecOk ?? false, options: [] },
  })
  const isAnswer = (message: Message | undefined): message is Message => {
    const [question, ...more] = message?.questions ?? []
    return (
      message?.response === true &&
      message.id === id &&
      more.length === 0 &&
      question?.name === name &&
      question.type === type
    )
  }
  if (o.tcp !== true) {
    const reply = await askByUdp(upstream, query, o.timeoutMs, isAnswer)
    if (reply?.truncated !== true) return reply
  }
  return askByTcp(upstream, query, o.timeoutMs, isAnswer)
}

function askByUdp(
  upstream: Upstream,
  query: Uint8Array,
  timeoutMs: number,
  isAnswer: (message: Message | undefined) => message is Message,
): Promise<Message | undefined> {
  const { promise, resolve } = Promise.withResolvers<Message | undefined>()
  const socket = createSocket(upstream.address.includes(':') ? 'udp6' : 'udp4')
  const finish = (message: Message | undefined) => {
    clearTimeout(timer)
    resolve(message)
    socket.close()
  }
  const timer = setTimeout(() => finish(undefined), timeoutMs)
  socket.on('error', () => finish(undefined))
  // Connected: datagrams from anyone else never arrive, and a refusal (ICMP) is an error at once.
  socket.connect(upstream.port, upstream.address, (error?: Error) => {
    if (error === undefined) socket.send(query)
  })
  socket.on('message', (bytes) => {
    const message = decodeMessage(bytes)
    if (isAnswer(message)) finish(message)
  })
  return promise.finally(() => socket.removeAllListeners())
}

function askByTcp(
  upstream: Upstream,
  query: Uint8Array,
  timeoutMs: number,
  isAnswer: (message: Message | undefined) => message is Message,
): Promise<Message | undefined> {
  const { promise, resolve } = Promise.withResolvers<Message | undefined>()
  const socket = connect(upstream.port, upstream.address)
  const timer = setTimeout(() => resolve(undefined), timeoutMs)
  let received: Buffer = Buffer.alloc(0)
  socket.on('connect', () => socket.write(Buffer.concat([Buffer.of(query.length >> 8, query.length & 0xff), query])))
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    const length = received.length < 2 ? Infinity : received.readUInt16BE(0)
    if (received.length < length + 2) return
    const message = decodeMessage(received.subarray(2, length + 2))
    resolve(isAnswer(message) ? message : undefined)
  })
  socket.on('error', () => resolve(undefined))
  socket.on('close', () => resolve(undefined))
  return promise.finally(() => {
    clearTimeout(timer)
    socket.destroy()
  })
}
