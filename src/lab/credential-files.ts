import type { ClusterPlan, Host } from '#lab/plan.ts'

/** Where each credential lies, below the plan's `pki` folder. */
export const credentialFiles = (plan: ClusterPlan) => {
  const at = (name: string) => `${plan.paths.pki}/${name}`
  return {
    ca: { cert: at('ca.crt'), key: at('ca.key') },
    apiServer: { cert: at('apiserver.crt'), key: at('apiserver.key') },
    /** The API server as a client of the node agents. */
    kubeletClient: { cert: at('apiserver-kubelet-client.crt'), key: at('apiserver-kubelet-client.key') },
    serviceAccount: { key: at('sa.key'), publicKey: at('sa.pub') },
    controllers: at('controllers.kubeconfig'),
    scheduler: at('scheduler.kubeconfig'),
    /** Of all nodes: each sees what it needs of the others. */
    proxy: at('kube-proxy.kubeconfig'),
    flannel: at('flannel.kubeconfig'),
    provisioner: at('provisioner.kubeconfig'),
    balancer: at('balancer.kubeconfig'),
    node: (node: Host) => ({
      kubeconfig: at(`${node.name}.kubeconfig`),
      cert: at(`${node.name}.crt`),
      key: at(`${node.name}.key`),
    }),
  }
}
