// Reads one dump and traces packets through it: `measure.ts iptables|nft RULES`; prints figures as JSON.
import { firstPacket } from '#trace/packet.ts'
import { readWorld } from '#trace/read/read-world.ts'
import { traceWorld } from '#trace/trace.ts'
import { percentile } from '../bench.ts'
import { iptablesDump, nftDump, serviceIp } from './dumps.ts'

const [form = 'iptables', count = '100000'] = process.argv.slice(2)
const services = Math.max(1, Math.round(Number(count) / 32))
const text = form === 'iptables' ? iptablesDump(services) : nftDump(services)

const startedMs = performance.now()
const usedBefore = process.cpuUsage()
const { world, problems } = readWorld([{ file: 'dump', text }])
const parseMs = performance.now() - startedMs
const used = process.cpuUsage(usedBefore)
if (problems.length > 0) throw new Error(problems.join('\n'))

const times: number[] = []
let ends = 0
for (let i = 0; i < 50; i++) {
  const packet = firstPacket({
    protocol: 'tcp',
    source: '10.244.0.9',
    // first and last Services, and those between
    destination: serviceIp(i === 0 ? services - 1 : Math.floor((i * services) / 50)),
    destinationPort: 80,
  })
  const begin = performance.now()
  ends += traceWorld(world, { packet }).length
  times.push(performance.now() - begin)
}
if (ends !== 500) throw new Error(`${ends} ways instead of 500`)
const figures = {
  parse_ms: parseMs,
  // what it would take on a machine that does nothing else
  parse_cpu_ms: (used.user + used.system) / 1000,
  first_trace_ms: times[0]!,
  trace_ms: percentile(times, 0.5),
  trace_max_ms: Math.max(...times),
  dump_mb: text.length / 2 ** 20,
  peak_mb: process.resourceUsage().maxRSS / 1024,
}
console.log(JSON.stringify(figures))
