// Targets of iptables that our own layouts do not use, read from their words: `-j NAME WORDS`.

import type { Act } from '#trace/chain/chain.ts'
import { destinationNat } from '#trace/nat.ts'
import { familyOf } from '#trace/packet.ts'
import type { Place } from '#trace/place.ts'
import { assume, type Step, type Way, withPacket, withStep } from '#trace/way.ts'

/** They do what they do, and the packet goes on as it was. */
const harmless = new Set([
  'LOG',
  'NFLOG',
  'ULOG',
  'TRACE',
  'TCPMSS',
  'TOS',
  'DSCP',
  'ECN',
  'TTL',
  'HL',
  'CHECKSUM',
  'CLASSIFY',
  'IDLETIMER',
  'LED',
  'RATEEST',
  'SET',
  'AUDIT',
  'SECMARK',
  'CONNSECMARK',
  'TEE',
  'TCPOPTSTRIP',
])

export const isHarmless = (name: string, words: readonly string[]): boolean =>
  harmless.has(name) || (name === 'CT' && !words.includes('--notrack'))

export function actOther(
  name: string,
  words: readonly string[],
  way: Way,
  place: Place,
  step: (effect: string, weight: Step['weight']) => Step,
): readonly Act[] {
  const after = (option: string) => (words.includes(option) ? words[words.indexOf(option) + 1] : undefined)
  if (isHarmless(name, words)) return [{ kind: 'continue', way: withStep(way, step(`passes ${name}`, 'turn')) }]
  if (name === 'NOTRACK' || (name === 'CT' && words.includes('--notrack'))) {
    // What is tracked by now stays so.
    if (way.packet.connection !== undefined) return [{ kind: 'continue', way }]
    const untracked = withPacket(way, { state: 'UNTRACKED' })
    return [{ kind: 'continue', way: withStep(untracked, step('is not tracked', 'act')) }]
  }
  if (name === 'CONNMARK') return connectionMark(words, way, step)
  if (name === 'REDIRECT') {
    // To the address of the interface that it came in by; 127.0.0.1 for what is made here.
    const port = after('--to-ports')?.split('-')[0]
    const ip = place.ownAddress(way.packet.inInterface, familyOf(way.packet))
    return destinationNat(way, `${ip.includes(':') ? `[${ip}]` : ip}${port === undefined ? '' : `:${port}`}`).map(
      ({ way: next, effect }) => ({ kind: 'accept', way: withStep(next, step(effect, 'act')) }),
    )
  }
  const text = `-j ${[name, ...words].join(' ')}`
  const condition = `${text} lets ${way.packet.answers ? 'the answer' : 'it'} go on`
  return [
    { kind: 'continue', way: withStep(assume(way, condition, true, undefined), step('is taken to go on', 'turn')) },
    {
      kind: 'end',
      way: withStep(assume(way, condition, false, 'a reader of that target'), step('what it does is not known', 'act')),
      end: { kind: 'unknown', what: text },
    },
  ]
}

function connectionMark(
  words: readonly string[],
  way: Way,
  step: (effect: string, weight: Step['weight']) => Step,
): readonly Act[] {
  const after = (option: string) => (words.includes(option) ? words[words.indexOf(option) + 1] : undefined)
  const number = (text: string | undefined, otherwise: number) => (text === undefined ? otherwise : Number(text))
  const { packet } = way
  const { connection } = packet
  const all = 0xffffffff
  const isSave = words.includes('--save-mark')
  if (connection === undefined)
    return [{ kind: 'continue', way: withStep(way, step('has no connection to mark', 'turn')) }]
  if (isSave || words.includes('--restore-mark')) {
    const nfmask = number(after('--nfmask') ?? after('--mask'), all)
    const ctmask = number(after('--ctmask') ?? after('--mask'), all)
    if (isSave) {
      const mark = ((connection.mark & ~ctmask) ^ (packet.mark & nfmask)) >>> 0
      return [
        {
          kind: 'continue',
          way: withStep(
            withPacket(way, { connection: { ...connection, mark } }),
            step(`the connection's mark becomes 0x${mark.toString(16)}`, 'act'),
          ),
        },
      ]
    }
    const mark = ((packet.mark & ~nfmask) ^ (connection.mark & ctmask)) >>> 0
    return [
      {
        kind: 'continue',
        way: withStep(withPacket(way, { mark }), step(`mark becomes 0x${mark.toString(16)}`, 'act')),
      },
    ]
  }
  const [value, mask = all] = (after('--set-xmark') ?? after('--set-mark') ?? '0').split('/').map(Number)
  const mark = ((connection.mark & ~mask) ^ value!) >>> 0
  return [
    {
      kind: 'continue',
      way: withStep(
        withPacket(way, { connection: { ...connection, mark } }),
        step(`the connection's mark becomes 0x${mark.toString(16)}`, 'act'),
      ),
    },
  ]
}
