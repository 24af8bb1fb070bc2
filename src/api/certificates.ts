// The certificates group.

import type { Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface CertificateSigningRequest extends Typed<'certificates', 'CertificateSigningRequest'> {}
export interface CertificateSigningRequestSpec extends Typed<'certificates', 'CertificateSigningRequestSpec'> {}
export interface CertificateSigningRequestCondition extends Typed<
  'certificates',
  'CertificateSigningRequestCondition'
> {}

export const certificateSigningRequests: Resource<CertificateSigningRequest> = {
  group: 'certificates.k8s.io',
  version: 'v1',
  plural: 'certificatesigningrequests',
  kind: 'CertificateSigningRequest',
  namespaced: false,
}

/** The signers that Kubernetes itself knows. */
export const signers = {
  client: 'kubernetes.io/kube-apiserver-client',
  node: 'kubernetes.io/kube-apiserver-client-kubelet',
  nodeServing: 'kubernetes.io/kubelet-serving',
} as const
