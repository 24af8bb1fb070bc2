// What the rules of all Ingresses come to: one table of routes, in the nouns that a proxy needs.

import type { Settings } from '#ingress/annotations.ts'

/** `NAMESPACE/SERVICE/PORT/PROTOCOL`, the port by its number in the Service: endpoints that requests go to. */
export type BackendKey = string

/** Where requests of a route go. Without a backend they are refused with 503. */
export type Target = {
  readonly backend: BackendKey | undefined
  readonly settings: Settings
  /** `NAMESPACE/NAME` of the Ingress */
  readonly ingress: string
}

export type Route = Target & {
  /** '' for any, else a name in lower case, `*.` before it for exactly one more label */
  readonly host: string
  readonly match: 'exact' | 'prefix'
  /** of a prefix route always with a slash at its end */
  readonly path: string
}

export type Endpoint = {
  readonly address: string
  readonly port: number
  /** where it is outside and known by a name: what it is asked for by TLS */
  readonly name?: string
}
export type Protocol = 'http' | 'h2c' | 'https'
export type Backend = {
  readonly key: BackendKey
  readonly protocol: Protocol
  readonly endpoints: readonly Endpoint[]
}

/** A Secret's certificates and private key as one PEM text, and the hosts that get it. */
export type ServedCertificate = { readonly pem: string; readonly hosts: readonly string[] }

export type RoutingTable = {
  /** by `routeKey` */
  readonly routes: ReadonlyMap<string, Route>
  /** for what no route matches */
  readonly fallback: Target | undefined
  readonly backends: ReadonlyMap<BackendKey, Backend>
  /** by `NAMESPACE/SECRET` */
  readonly certificates: ReadonlyMap<string, ServedCertificate>
  /** for names that no certificate is for; undefined: one that this process has made */
  readonly defaultCertificate: string | undefined
}

/** What two routes cannot share. */
export const routeKey = ({ host, match, path }: Pick<Route, 'host' | 'match' | 'path'>): string =>
  `${match} ${host}${path}`
