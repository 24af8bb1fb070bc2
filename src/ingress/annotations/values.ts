// The values of annotations: each reader answers what a text says, or a word about what was expected.

import type { Header, HashKey } from '#ingress/annotations/settings.ts'
import { parseQuantity, quantityValue } from '#api/quantity.ts'
import { canonicalCidr } from '#lib/cidr.ts'
import { parseDuration } from '#lib/duration.ts'
import { parseIp } from '#lib/ip.ts'

export type Read<T> = { readonly value: T } | string

const mostMs = 2 ** 31 - 1
const token = /^[A-Za-z0-9_.-]+$/

export function duration(text: string): Read<number> {
  const ms = parseDuration(text)
  return ms !== undefined && ms >= 1 && ms <= mostMs
    ? { value: Math.round(ms) }
    : 'a duration between 1ms and 596h is expected, as 90s'
}

export function seconds(text: string): Read<number> {
  const read = wholeNumber(1, Math.floor(mostMs / 1000))(text.replace(/s$/, ''))
  return typeof read === 'string' ? read : { value: read.value * 1000 }
}

export function size(text: string): Read<number> {
  const quantity = parseQuantity(text)
  const value = quantity.kind === 'ok' ? quantityValue(quantity.value) : 0
  return value > 0 && Number.isSafeInteger(value) ? { value } : 'a size is expected, as 8Mi'
}

/** nginx's form, `8m`; 0 is no limit. */
export function nginxSize(text: string): Read<number | undefined> {
  const [, digits, unit = ''] = /^(\d{1,12})([kmg]?)$/i.exec(text) ?? []
  if (digits === undefined) return 'a size is expected, as 8m'
  const value = Number(digits) * 1024 ** ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase())
  return { value: value === 0 ? undefined : value }
}

export const yesOrNo = (text: string): Read<boolean> =>
  text === 'true' || text === 'false' ? { value: text === 'true' } : 'true or false is expected'

export const wholeNumber =
  (least: number, most: number) =>
  (text: string): Read<number> => {
    const value = Number(text)
    return /^\d+$/.test(text) && value >= least && value <= most
      ? { value }
      : `a whole number from ${least} to ${most} is expected`
  }

export const oneOf =
  <T extends string>(...words: readonly T[]) =>
  (text: string): Read<T> => {
    const value = words.find((word) => word === text)
    return value === undefined ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)} is expected` : { value }
  }

/** Ranges, and addresses as ranges of one. Those that are none are left out, with a word. */
export function ranges(text: string): { readonly value: readonly string[]; readonly problem?: string } {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  const rangeOf = (word: string) => canonicalCidr(word) ?? (parseIp(word) === undefined ? undefined : word)
  const value = words.flatMap((word) => rangeOf(word) ?? [])
  const wrong = words.filter((word) => rangeOf(word) === undefined)
  if (wrong.length > 0 || words.length === 0)
    return { value, problem: `${wrong.join(', ') || 'nothing'} is no range of addresses, as 10.0.0.0/8` }
  return { value }
}

/** A path of this site. */
export const path = (text: string): Read<string> =>
  /^\/[^\s?#\\]*$/.test(text) ? { value: text } : 'a path is expected, as /new, without a query'

/** Where a browser is sent. */
export const url = (text: string): Read<string> =>
  /^(https?:\/\/[^\s/]+|\/)\S*$/.test(text) ? { value: text } : 'an address is expected, as https://new.test/page'

export const headerName = (text: string): Read<string> =>
  token.test(text) ? { value: text } : "a header's name is expected, as X-Canary"

export const cookieName = (text: string): Read<string> =>
  token.test(text) ? { value: text } : "a cookie's name is expected, as canary"

/** Names of headers or methods, in the form of such headers. */
export function tokens(text: string): Read<string> {
  const words = text.split(',').map((word) => word.trim())
  return words.every((word) => word === '*' || token.test(word))
    ? { value: words.join(', ') }
    : 'names with commas between are expected'
}

/** One a line, as `X-Frame-Options: DENY`. */
export function headers(text: string): Read<readonly Header[]> {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const value = lines.flatMap((line): Header[] => {
    const colon = line.indexOf(':')
    const header: Header = [line.slice(0, Math.max(colon, 0)).trim(), line.slice(colon + 1).trim()]
    return token.test(header[0]) && /^\P{Cc}+$/u.test(header[1]) ? [header] : []
  })
  return value.length === lines.length && value.length > 0
    ? { value }
    : 'a header in each line is expected, as X-Frame-Options: DENY'
}

export function origins(text: string): Read<readonly string[]> {
  const value = text.split(',').map((word) => word.trim().toLowerCase())
  const isOrigin = (word: string) => word === '*' || /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?[a-z0-9.-]+(:\d+)?$/.test(word)
  return value.every(isOrigin) ? { value } : 'origins with commas between are expected, as https://*.a.test, or *'
}

const hashKeys: Readonly<Record<string, HashKey>> = {
  $binary_remote_addr: { of: 'client' },
  $remote_addr: { of: 'client' },
  $request_uri: { of: 'url' },
  $uri: { of: 'path' },
  $host: { of: 'host' },
}

/** One of nginx's variables. */
export function hashKey(text: string): Read<HashKey> {
  const name = text.replace(/^\$\{(.*)\}$/, '$$$1')
  const known = hashKeys[name]
  if (known !== undefined) return { value: known }
  const [, kind, rest = ''] = /^\$(http|cookie|arg)_(\w+)$/.exec(name) ?? []
  if (kind === 'http') return { value: { of: 'header', name: rest.replaceAll('_', '-') } }
  if (kind === 'cookie') return { value: { of: 'cookie', name: rest } }
  if (kind === 'arg') return { value: { of: 'parameter', name: rest } }
  return 'one of $remote_addr, $request_uri, $uri, $host, $http_NAME, $cookie_NAME, $arg_NAME is expected'
}
