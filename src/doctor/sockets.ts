// `ss -lntuH`: which sockets of a machine wait for others.

import { canonicalIp, type Ip } from '#lib/ip.ts'

export type Socket = {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  /** undefined: on every address */
  readonly ip?: Ip
}
export type Sockets = readonly Socket[]

const line = /^(tcp|udp)\s+\S+\s+\d+\s+\d+\s+(\S+):(\d+)\s/

export const parseSockets = (text: string): Sockets =>
  text.split('\n').flatMap((row): Socket[] => {
    const [, protocol, host = '', port] = line.exec(`${row} `) ?? []
    if (protocol === undefined) return []
    const bare = host.replaceAll(/[[\]]/g, '').replace(/%.*$/, '')
    const ip = bare === '*' || bare === '0.0.0.0' || bare === '::' ? undefined : canonicalIp(bare)
    return [{ protocol: protocol as 'tcp' | 'udp', port: Number(port), ...(ip !== undefined && { ip }) }]
  })

export const renderSockets = (sockets: Sockets): string =>
  sockets
    .map(({ protocol, port, ip }) => {
      const host = ip === undefined ? '*' : ip.includes(':') ? `[${ip}]` : ip
      return `${protocol}   ${protocol === 'tcp' ? 'LISTEN' : 'UNCONN'} 0      0      ${host}:${port}      *:*\n`
    })
    .join('')

const isLoopback = (ip: string) => ip.startsWith('127.') || ip === '::1'

/** Whether somebody waits at this address; `only local`: only on the loopback address. */
export function listensAt(sockets: Sockets, protocol: string, port: number, ip: Ip): 'yes' | 'no' | 'only local' {
  const at = sockets.filter((socket) => socket.protocol === protocol && socket.port === port)
  if (at.some((socket) => socket.ip === undefined || socket.ip === ip)) return 'yes'
  return at.some((socket) => socket.ip !== undefined && isLoopback(socket.ip)) ? 'only local' : 'no'
}
