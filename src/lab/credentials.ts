// effect: key and certificate files
// Who is who in the cluster: one authority, and a certificate for every identity. What is there already stays, so that
// an address that somebody trusts goes on being trusted.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createAuthority, createKey, issueCertificate, publicKeyOf } from '#pki/certificate.ts'
import type { Authority, CertificateRequest } from '#pki/certificate.ts'
import { renderKubeconfig } from '#client/render-kubeconfig.ts'
import { serviceAddresses } from '#lab/options.ts'
import { balancerUser, flannelUser, provisionerUser } from '#api/rbac/part-users.ts'
import { credentialFiles } from '#lab/credential-files.ts'
import { apiServerOf, type ClusterPlan, nodesOf } from '#lab/plan.ts'

/** What the control plane needs to begin; the rest may follow while it starts. */
export function writeControlPlaneCredentials(plan: ClusterPlan): void {
  const files = credentialFiles(plan)
  mkdirSync(plan.paths.pki, { recursive: true, mode: 0o700 })
  const authority = ensureAuthority(plan)
  const { clusterDomain } = plan.options
  const api = apiServerOf(plan)
  ensurePair(authority, files.apiServer, {
    commonName: 'kube-apiserver',
    usages: ['server'],
    dnsNames: [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${clusterDomain}`,
      'localhost',
    ],
    ips: [api.ip, serviceAddresses(plan.options).kubernetes, '127.0.0.1'],
  })
  ensurePair(authority, files.kubeletClient, {
    commonName: 'kube-apiserver-kubelet-client',
    organizations: ['system:masters'],
    usages: ['client'],
  })
  if (!existsSync(files.serviceAccount.key)) {
    const key = createKey()
    writeFileSync(files.serviceAccount.publicKey, publicKeyOf(key))
    writeFileSync(files.serviceAccount.key, key, { mode: 0o600 })
  }
  ensureKubeconfig(plan, authority, files.controllers, { commonName: 'system:kube-controller-manager' })
  ensureKubeconfig(plan, authority, files.scheduler, { commonName: 'system:kube-scheduler' })
}

/** The administrator's and the nodes' identities. */
export function writeOtherCredentials(plan: ClusterPlan): void {
  const files = credentialFiles(plan)
  const authority = ensureAuthority(plan)
  ensureKubeconfig(plan, authority, plan.paths.kubeconfig, {
    commonName: 'kubernetes-admin',
    organizations: ['system:masters'],
  })
  ensureKubeconfig(plan, authority, files.proxy, { commonName: 'system:kube-proxy' })
  ensureKubeconfig(plan, authority, files.flannel, { commonName: flannelUser })
  ensureKubeconfig(plan, authority, files.provisioner, { commonName: provisionerUser })
  if (plan.options.loadBalancer === 'appliance')
    ensureKubeconfig(plan, authority, files.balancer, { commonName: balancerUser })
  for (const node of nodesOf(plan)) {
    const { kubeconfig, ...pair } = files.node(node)
    const identity = { commonName: `system:node:${node.name}`, organizations: ['system:nodes'] }
    ensureKubeconfig(plan, authority, kubeconfig, identity)
    ensurePair(authority, pair, { ...identity, usages: ['server'], dnsNames: [node.name], ips: [node.ip] })
  }
}

const years10 = 3650

function ensureAuthority(plan: ClusterPlan): Authority {
  const files = credentialFiles(plan).ca
  if (!existsSync(files.key)) writePair(files, createAuthority({ commonName: 'kubernetes', days: years10 }))
  return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
}

type PairFiles = { readonly cert: string; readonly key: string }

function ensurePair(authority: Authority, files: PairFiles, request: CertificateRequest): void {
  if (!existsSync(files.key)) writePair(files, issueCertificate(authority, { days: years10, ...request }))
}

/** The key last: its presence says that the pair is whole. */
function writePair(files: PairFiles, pair: { readonly cert: string; readonly key: string }): void {
  writeFileSync(files.cert, pair.cert)
  writeFileSync(files.key, pair.key, { mode: 0o600 })
}

function ensureKubeconfig(
  plan: ClusterPlan,
  authority: Authority,
  path: string,
  identity: Omit<CertificateRequest, 'usages'>,
): void {
  if (existsSync(path)) return
  const { name } = plan.options
  const pair = issueCertificate(authority, { days: years10, ...identity, usages: ['client'] })
  const user = identity.commonName
  const text = renderKubeconfig({ name, user, server: apiServerOf(plan).url, ca: authority.cert, ...pair })
  writeFileSync(path, text, { mode: 0o600 })
}
