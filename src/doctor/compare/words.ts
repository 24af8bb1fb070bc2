// Words that findings share.

import type { Difference } from '#doctor/compare/difference.ts'
import type { Front } from '#doctor/expect/expect.ts'
import { renderEnd } from '#trace/packet.ts'

/** `33.3%`; never 100% for less, nor 0% for more. */
export function percentOf(share: number): string {
  if (share > 0.9995) return '100%'
  const text = (share * 100).toFixed(1).replace(/\.0$/, '')
  return text === '0' && share > 0 ? '<0.1%' : text === '100' ? '>99.9%' : `${text}%`
}

const kinds = {
  'cluster-ip': 'cluster IP',
  'external-ip': 'external IP',
  'load-balancer': "load balancer's address",
  'node-port': 'node port',
} as const

/** `cluster IP 10.96.0.1:443/tcp` */
export const nameOfFront = ({ kind, ip, port, protocol }: Front): string =>
  `${kinds[kind]} ${ip === undefined ? port : renderEnd(ip, port)}/${protocol}`

export const askers = ({ asker }: Difference): string => (asker === 'pod' ? 'pods' : 'clients outside the cluster')

/** `a, b and 3 more` */
export function someOf(items: readonly string[], most = 4): string {
  const all = [...new Set(items)]
  if (all.length <= most) return all.join(', ')
  return `${all.slice(0, most - 1).join(', ')} and ${all.length - most + 1} more`
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

export const inNamespace = (key: string): string => {
  const [namespace = 'default', name = ''] = key.split('/')
  return namespace === 'default' ? name : `-n ${namespace} ${name}`
}
