// effect: reads the files that are named
import { readFileSync } from 'node:fs'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { choice, list, text, toggle } from '#daemon/flags.ts'
import { isValidIp } from '#lib/ip.ts'
import { explain, renderOutcome } from '#trace/explain.ts'
import { percent } from '#trace/fraction.ts'
import type { Packet, Protocol } from '#trace/packet.ts'
import { readMachine } from '#trace/read.ts'
import { walkMachine } from '#trace/walk.ts'

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
    local: toggle({ help: 'the packet is made on that machine itself' }),
    all: toggle({ help: 'show every rule that acted' }),
    output: choice(['text', 'json'], { help: 'how to print', default: 'text', short: 'o' }),
  },
  async run({ from, to, rules, local, all, output }, rest, { stdout, stderr }) {
    takesNone('trace', rest)
    if (!isValidIp(from))
      throw new UserError(`--from: ${JSON.stringify(from)} is no address`, { code: 'BadAddress', exitCode: 2 })
    if (rules.length === 0)
      throw new UserError('no rules to walk', {
        code: 'NoRules',
        exitCode: 2,
        remedy: 'name a dump: --rules FILE, as iptables-save writes it',
      })
    const { machine, ignored } = readMachine(
      'the node',
      rules.map((file) => ({ file, text: read(file) })),
    )
    for (const file of ignored) stderr.write(`fairway: ${file}: not known what this is; it is left out\n`)
    if (machine.iptables === undefined)
      throw new UserError('none of the files holds rules', {
        code: 'NoRules',
        remedy: 'give the output of iptables-save',
      })
    const ways = walkMachine(machine, packetFor(from, to), local ? 'made here' : 'arrives')
    if (output === 'text') stdout.write(explain(ways, { all }))
    else
      stdout.write(
        `${JSON.stringify(
          ways.map((way) => ({
            share: percent(way.share),
            fraction: `${way.share.numerator}/${way.share.denominator}`,
            conditions: way.conditions,
            missing: way.missing,
            outcome: way.outcome,
            text: renderOutcome(way),
            packet: way.packet,
            steps: way.steps.map(({ table, chain, rule, effect }) => ({
              table,
              chain,
              ...rule.origin,
              rule: rule.text,
              effect,
            })),
          })),
          null,
          2,
        )}\n`,
      )
  },
})

function packetFor(from: string, to: string): Packet {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)(?:\/(tcp|udp|sctp))?$/.exec(to)
  const address = found?.[1] ?? found?.[2] ?? ''
  const port = Number(found?.[3])
  if (found === null || !isValidIp(address) || port > 65_535)
    throw new UserError(`--to: ${JSON.stringify(to)} is no address with a port`, {
      code: 'BadAddress',
      exitCode: 2,
      remedy: 'write IP:PORT, as 10.96.0.1:443 or [fd00::1]:53/udp',
    })
  return {
    protocol: (found[4] ?? 'tcp') as Protocol,
    source: from,
    sourcePort: 40_000,
    destination: address,
    destinationPort: port,
    mark: 0,
    state: 'NEW',
  }
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
