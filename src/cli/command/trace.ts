// effect: reads the files that are named
import { readFileSync } from 'node:fs'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { choice, list, text, toggle } from '#daemon/flags.ts'
import { isValidIp } from '#lib/ip.ts'
import { explain } from '#trace/explain.ts'
import { firstPacket } from '#trace/packet.ts'
import { readWorld } from '#trace/read/read-world.ts'
import { traceDocument } from '#trace/trace-json.ts'
import { TraceError, traceWorld } from '#trace/trace.ts'

export const trace = defineCommand({
  name: 'trace',
  summary: 'say why a packet goes where it goes, from dumped rules',
  usage: '--from IP --to IP:PORT[/tcp|udp|sctp] --rules FILE...',
  description:
    'Walks one packet through the rules of a machine and prints every way it may take, with its share and the rules\n' +
    'that lead there. Files are told apart by what they say: iptables-save, iptables -L -v -n, ip addr.',
  examples: [
    'iptables-save > rules.txt; fairway trace --from 10.244.1.9 --to 10.96.0.1:443 --rules rules.txt',
    'fairway trace --from 192.0.2.7 --to 10.168.0.2:30080/tcp --rules rules.txt --rules addresses.txt',
  ],
  flags: {
    from: text({ help: 'where the packet comes from', placeholder: 'IP', required: true }),
    to: text({ help: 'where it is sent', placeholder: 'IP:PORT[/PROTOCOL]', required: true }),
    rules: list({ help: 'a dump of the machine', placeholder: 'FILE' }),
    all: toggle({ help: 'show every rule that was looked at' }),
    output: choice(['text', 'json'], { help: 'how to print', default: 'text', short: 'o' }),
  },
  async run({ from, to, rules, all, output }, rest, { stdout, stderr }) {
    takesNone('trace', rest)
    if (!isValidIp(from))
      throw new UserError(`--from: ${JSON.stringify(from)} is no address`, { code: 'BadAddress', exitCode: 2 })
    if (rules.length === 0)
      throw new UserError('no rules to walk', {
        code: 'NoRules',
        exitCode: 2,
        remedy: 'name a dump: --rules FILE, as iptables-save writes it',
      })
    const { world, problems } = readWorld(rules.map((file) => ({ file, text: read(file) })))
    for (const problem of problems) stderr.write(`fairway: ${problem}\n`)
    const packet = packetFor(from, to)
    try {
      const ways = traceWorld(world, { packet, all })
      if (output === 'text') stdout.write(explain(packet, ways, { all }))
      else stdout.write(`${JSON.stringify(traceDocument(packet, ways, { closest: [], problems }), null, 2)}\n`)
    } catch (error) {
      if (!(error instanceof TraceError)) throw error
      throw new UserError(error.message, { code: error.code, remedy: error.remedy })
    }
  },
})

function packetFor(from: string, to: string) {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)(?:\/(tcp|udp|sctp))?$/.exec(to)
  const address = found?.[1] ?? found?.[2] ?? ''
  const port = Number(found?.[3])
  if (found === null || !isValidIp(address) || port > 65_535)
    throw new UserError(`--to: ${JSON.stringify(to)} is no address with a port`, {
      code: 'BadAddress',
      exitCode: 2,
      remedy: 'write IP:PORT, as 10.96.0.1:443 or [fd00::1]:53/udp',
    })
  return firstPacket({ protocol: found[4] ?? 'tcp', source: from, destination: address, destinationPort: port })
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UserError(`cannot read ${file}: ${(cause as Error).message}`, {
      code: 'NoFile',
      remedy: 'name a file that exists',
      cause,
    })
  }
}
