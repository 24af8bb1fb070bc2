// What annotations can change about the requests of an Ingress.

export type RedirectCode = 301 | 302 | 303 | 307 | 308

/** `url`: the whole address; `host`: the same path and query at another host. */
export type Redirect = { readonly code: RedirectCode } & ({ readonly url: string } | { readonly host: string })

export type Cors = {
  /** `*`, `https://a.test`, `https://*.a.test` for one more label */
  readonly origins: readonly string[]
  readonly methods: string
  readonly headers: string
  readonly exposed?: string
  readonly withCredentials: boolean
  readonly maxAgeSeconds: number
}

/** A cookie that brings a client back to its endpoint. */
export type Affinity = {
  readonly cookie: string
  /** as they stand in Set-Cookie */
  readonly attributes: string
}

/** How many requests one client may make, and how many at once. */
export type Limits = { readonly perSecond?: number; readonly perMinute?: number; readonly atOnce?: number }

/** Who may come in. Without `users` nobody, as long as they are not known. */
export type BasicAuth = { readonly realm: string; readonly users?: readonly User[] }
/** `hash` in a form of crypt(3). */
export type User = { readonly name: string; readonly hash: string }

/** What requests with the same value of which go to the same endpoint. */
export type HashKey =
  | { readonly of: 'client' | 'host' | 'path' | 'url' }
  | { readonly of: 'header' | 'cookie' | 'parameter'; readonly name: string }

export type Header = readonly [name: string, value: string]

/** Each is undefined where no annotation says something. All of it is about a back end; another one for other settings. */
export type Settings = {
  readonly connectTimeoutMs?: number
  /** how long the endpoint may be silent */
  readonly readTimeoutMs?: number
  /** how long a WebSocket may be silent */
  readonly tunnelTimeoutMs?: number
  /** the most that a request's body may have */
  readonly bodyLimitBytes?: number
  /** answers plain HTTP with a redirect */
  readonly sslRedirect?: true
  readonly redirect?: Redirect
  /** the path is that of the route's `rewrite` */
  readonly rewrites?: true
  /** ranges of clients that may come in, all others not */
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly limits?: Limits
  readonly cors?: Cors
  readonly auth?: BasicAuth
  readonly affinity?: Affinity
  readonly hashBy?: HashKey
  /** set for the endpoint */
  readonly requestHeaders?: readonly Header[]
  /** set for the client */
  readonly responseHeaders?: readonly Header[]
}

/** Which requests go to a canary rather than to the main route. The first that decides counts. */
export type CanaryRule = {
  /** with `value` where it has this one, else `always` or `never` */
  readonly header?: { readonly name: string; readonly value?: string }
  /** `always` or `never` */
  readonly cookie?: string
}
export type Canary = CanaryRule & {
  /** of a hundred requests about which nothing else decides */
  readonly weight: number
}

/** Tells one set of settings from another; '' for none. */
export const settingsKey = (settings: Settings): string =>
  Object.keys(settings).length === 0 ? '' : JSON.stringify(settings)
