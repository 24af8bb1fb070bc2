// What the servers of datagrams have in common: sizes, and who a sockaddr stands for.

import { formatIp } from '#lib/ip.ts'

/** No query and no answer by UDP is larger; what is has to come by TCP. */
export const datagramBytes = 4096
/** Datagrams of one system call. */
export const mostAtOnce = 64

/** `192.0.2.1:5353` or `[2001:db8::1]:5353`, from a struct sockaddr_in or sockaddr_in6. */
export function clientAt(sockaddr: Uint8Array): string {
  const port = (sockaddr[2]! << 8) | sockaddr[3]!
  const isV4 = sockaddr.length === 16
  const address = formatIp(sockaddr.subarray(isV4 ? 4 : 8, isV4 ? 8 : 24))
  return isV4 ? `${address}:${port}` : `[${address}]:${port}`
}
