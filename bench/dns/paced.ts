// Asks a server of 127.0.0.1 at an even pace and prints how long its answers took, as {"p50": MS, "p99": MS, "lost": COUNT}:
//   paced.ts PORT RATE SECONDS QUERIES_FILE
// One thread sends and receives and never sleeps, so that nobody waits for a turn of the processor; each time is counted
// from when its query was due.
import { readFileSync } from 'node:fs'
import { parseIp } from '#lib/ip.ts'
import { encodeMessage, queryMessage } from '#dns/wire/message.ts'
import { classIn, recordTypes } from '#dns/wire/record.ts'
import { DatagramBatch, openDatagram, socketAddress } from '#kernel/datagram-batch.ts'
import { sendTo } from '#kernel/ffi.ts'
import { percentile } from '../bench.ts'

const [port = 0, rate = 0, seconds = 0] = process.argv.slice(2, 5).map(Number)
const loopback = parseIp('127.0.0.1')!
const most = 64
/** Before that, code is compiled and caches are filled. */
const warmUpShare = 0.25

const queries = readFileSync(process.argv[5]!, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => encodeMessage(queryMessage(0, { name: line.split(' ')[0]!, type: recordTypes.A, class: classIn })))
const { fd } = openDatagram(loopback, 0, { shared: false })
const batch = new DatagramBatch(fd, { most, size: 512 })
// The batch answers whoever it has heard from: the server has to say something first.
sendTo(fd, queries[0]!, socketAddress(loopback, port))
while (batch.receive() === 0);

const total = rate * seconds
const warmUp = Math.floor(total * warmUpShare)
const due = new Float64Array(1 << 16)
const took: number[] = []
let sent = 0
let received = 0
const started = performance.now()
while (received < total) {
  const wanted = Math.min(total, Math.floor(((performance.now() - started) * rate) / 1000))
  let count = 0
  for (; sent < wanted && count < most; sent++, count++) put(sent, count)
  if (count > 0) batch.send(count)
  const answers = batch.receive()
  const now = performance.now()
  for (let i = 0; i < answers; i++) {
    const bytes = batch.datagram(i)
    if (received++ >= warmUp) took.push(now - due[(bytes[0]! << 8) | bytes[1]!]!)
  }
  if (now - started > seconds * 1000 + 1000) break
}
console.log(JSON.stringify({ p50: percentile(took, 0.5), p99: percentile(took, 0.99), lost: total - received }))
process.exit(0)

function put(number: number, slot: number): void {
  const query = queries[number % queries.length]!
  const out = batch.answer(slot)
  out.set(query)
  out[0] = (number >> 8) & 255
  out[1] = number & 255
  due[number & 0xffff] = started + (number * 1000) / rate
  batch.setAnswer(slot, 0, query.length)
}
