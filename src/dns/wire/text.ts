// Records in the text of a zone file (RFC 1035 section 5), for tests, logs and people.

import { typeName, type ResourceRecord } from '#dns/wire/record.ts'
import { formatIp } from '#lib/ip.ts'

/** `web.default.svc.cluster.local. 30 IN A 10.96.0.7` */
export function renderRecord(record: ResourceRecord): string {
  return `${record.name}. ${record.ttl} IN ${typeName(record.type)} ${renderData(record.data)}`
}

function renderData(data: ResourceRecord['data']): string {
  switch (data.kind) {
    case 'address':
      return formatIp(data.bytes)
    case 'name':
      return `${data.target}.`
    case 'srv':
      return `${data.priority} ${data.weight} ${data.port} ${data.target}.`
    case 'mx':
      return `${data.preference} ${data.target}.`
    case 'txt':
      return data.texts.map((text) => JSON.stringify(text)).join(' ')
    case 'soa': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = data.soa
      return `${mname}. ${rname}. ${serial} ${refresh} ${retry} ${expire} ${minimum}`
    }
    case 'opaque':
      return `\\# ${data.bytes.length} ${[...data.bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`.trimEnd()
  }
}
