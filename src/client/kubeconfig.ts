/** How to reach an API server. Certificates and keys are PEM texts. */
export type ClientConfig = {
  /** `https://HOST:PORT[/PREFIX]` */
  readonly server: string
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly token?: string | undefined
  /** read again when it changes, as kubelets rotate projected tokens */
  readonly tokenFile?: string | undefined
  readonly insecure?: boolean | undefined
  /** the name to expect in the server's certificate, where it is not the host of `server` */
  readonly serverName?: string | undefined
  /** the namespace of the context */
  readonly namespace?: string | undefined
}
