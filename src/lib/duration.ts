// Durations in milliseconds and their texts.

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Go's form, `1m30s`, `-1.5h`, `0`: milliseconds, or undefined where the text is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/.exec(text)
  if (match === null) return undefined
  let sum = 0
  for (const [, number, unit] of match[2]!.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    sum += Number(number) * units[unit!]!
  return match[1] === '-' && sum !== 0 ? -sum : sum
}

/** Go's form: `1h2m3.5s`, `4.2ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`
  const nanos = Math.round(ms * 1e6)
  if (nanos === 0) return '0s'
  if (nanos < 1e3) return `${nanos}ns`
  if (nanos < 1e6) return `${nanos / 1e3}µs`
  if (nanos < 1e9) return `${nanos / 1e6}ms`
  const hours = Math.floor(nanos / 3.6e12)
  const minutes = Math.floor((nanos % 3.6e12) / 6e10)
  const seconds = `${(nanos % 6e10) / 1e9}s`
  return hours > 0 ? `${hours}h${minutes}m${seconds}` : minutes > 0 ? `${minutes}m${seconds}` : seconds
}

/**
 * kubectl's age: two units at most, the second one only while it still matters (`59s`, `3m12s`, `47m`, `5h10m`, `2d3h`,
 * `8d`, `2y100d`, `9y`). The bounds are those of Kubernetes' HumanDuration.
 */
export function ageOf(ms: number): string {
  const seconds = Math.trunc(ms / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return pair(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`
}

const pair = (first: number, firstUnit: string, second: number, secondUnit: string) =>
  second === 0 ? `${first}${firstUnit}` : `${first}${firstUnit}${second}${secondUnit}`
