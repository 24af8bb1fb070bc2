// Records of class IN, as answers have them.

import { classIn, recordTypes, type ResourceRecord } from '#dns/wire/record.ts'
import { parseIp } from '#lib/ip.ts'

export const record = (name: string, type: number, ttl: number, data: ResourceRecord['data']): ResourceRecord => ({
  name,
  type,
  class: classIn,
  ttl,
  data,
})

/** The addresses of the type's family, each once; none where the type is no address. */
export function addressRecords(
  name: string,
  ttl: number,
  type: number,
  addresses: readonly string[],
): ResourceRecord[] {
  const bytesWanted = type === recordTypes.A ? 4 : type === recordTypes.AAAA ? 16 : 0
  if (bytesWanted === 0) return []
  const records: ResourceRecord[] = []
  for (const address of addresses.length > 1 ? new Set(addresses) : addresses) {
    const bytes = parseIp(address)
    if (bytes?.length === bytesWanted) records.push(record(name, type, ttl, { kind: 'address', bytes }))
  }
  return records
}
