// Resource records: their types and their data as values (RFC 1035, 2782, 3596).

/** Numbers of the record types that this server knows by name. */
export const recordTypes = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const

export type RecordTypeName = keyof typeof recordTypes

const nameOfType = new Map<number, string>(Object.entries(recordTypes).map(([name, number]) => [number, name]))

export const isKnownType = (type: number): boolean => nameOfType.has(type)

/** `A`, `SRV` ..., or `TYPE1234` (RFC 3597). */
export function typeName(type: number): string {
  return nameOfType.get(type) ?? `TYPE${type}`
}

export const classIn = 1

export type RecordData =
  | { readonly kind: 'address'; readonly bytes: Uint8Array }
  | { readonly kind: 'name'; readonly target: string }
  | {
      readonly kind: 'srv'
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }
  | { readonly kind: 'mx'; readonly preference: number; readonly target: string }
  | { readonly kind: 'txt'; readonly texts: readonly string[] }
  | { readonly kind: 'soa'; readonly soa: Soa }
  /** data that this server hands on as it is */
  | { readonly kind: 'opaque'; readonly bytes: Uint8Array }

export type Soa = {
  readonly mname: string
  readonly rname: string
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  readonly minimum: number
}

/** One record. `name` is text as in name.ts; `ttl` in seconds. */
export type ResourceRecord = {
  readonly name: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  readonly data: RecordData
}
