// A kubeconfig as text.

import { stringify } from 'yaml'

/** What a kubeconfig file says; certificates and key are PEM texts. */
export type KubeconfigContents = {
  /** Of cluster, user and context alike. */
  readonly name: string
  readonly user: string
  readonly server: string
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A kubeconfig file with everything inside it, so that it can be copied elsewhere. */
export const renderKubeconfig = ({ name, user, server, ca, cert, key }: KubeconfigContents): string =>
  stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster: { server, 'certificate-authority-data': btoa(ca) } }],
      users: [{ name: user, user: { 'client-certificate-data': btoa(cert), 'client-key-data': btoa(key) } }],
      contexts: [{ name, context: { cluster: name, user } }],
      'current-context': name,
    },
    { lineWidth: 0 },
  )
