// What the rules of all Ingresses come to: one table of routes, in the nouns that a proxy needs.

import type { Canary, Settings } from '#ingress/annotations/settings.ts'

/**
 * `NAMESPACE/SERVICE/PORT/PROTOCOL`, the port by its number in the Service, and after a blank the key of settings, if there
 * are any: endpoints that requests go to, and what becomes of requests on their way.
 */
export type BackendKey = string

/** Where requests of a route go. Without a backend they are refused with 503. */
export type Target = {
  readonly backend: BackendKey | undefined
  /** `NAMESPACE/NAME` of the Ingress */
  readonly ingress: string
  /** the path that the endpoint gets; of a pattern route with `\1` ... for its groups */
  readonly rewrite?: string
}

export type Route = Target & {
  /** '' for any, else a name in lower case, `*.` before it for exactly one more label */
  readonly host: string
  readonly match: 'exact' | 'prefix' | 'pattern'
  /** of a prefix route always with a slash at its end; of a pattern what paths begin with, whatever the case of letters */
  readonly path: string
  /** another back end that gets a share of the requests */
  readonly canary?: Canary & { readonly backend: BackendKey }
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
  readonly settings: Settings
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

/** Stands for what no route matches, where routes are named by their keys. */
export const fallbackRoute = 'fallback'
