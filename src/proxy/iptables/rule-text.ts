// Pieces of rules, in the order and spelling in which iptables-save prints them: so what we write is what one reads.
import { quoteWord } from '#kernel/iptables/words.ts'
import type { LocalDetector } from '#proxy/local-detector.ts'
import type { Protocol } from '#proxy/state.ts'

/** The kernel keeps 255 bytes of a comment; only names that no API server allows are longer. */
const longestComment = 255

export const comment = (text: string): string => {
  const fits = text.length <= longestComment ? text : text.slice(0, longestComment)
  return `-m comment --comment ${quoteWord(fits)}`
}

/** A single address as a range: `10.96.0.1/32`. */
export const host = (ip: string): string => `${ip}/${ip.includes(':') ? 128 : 32}`

/** `-d ADDRESS -p tcp`, the comment, `-m tcp --dport PORT`. */
export const toPort = (ip: string, protocol: Protocol, port: number, text: string): string =>
  `-d ${host(ip)} -p ${protocol} ${comment(text)} -m ${protocol} --dport ${port}`

/** The words that select by source address, which stand first; '' where the detector looks at something else. */
export const localSource = (detector: LocalDetector, not: '' | '! '): string =>
  detector.kind === 'cidr' ? `${not}-s ${detector.cidr} ` : ''

/** The words that select by interface, which stand behind the addresses. */
export function localInterface(detector: LocalDetector, not: '' | '! '): string {
  if (detector.kind === 'bridge') return `${not}-i ${detector.interface} `
  return detector.kind === 'prefix' ? `${not}-i ${detector.prefix}+ ` : ''
}

/**
 * The chance of the first of n equal ones. The kernel keeps it in steps of 2^-31 of the ten digits that kube-proxy
 * writes, and that is what iptables-save prints.
 */
export function probability(n: number): string {
  const known = probabilities[n]
  if (known !== undefined) return known
  const steps = Math.round(Number((1 / n).toFixed(10)) * 2 ** 31)
  return (probabilities[n] = (steps / 2 ** 31).toFixed(11))
}
const probabilities: string[] = []
