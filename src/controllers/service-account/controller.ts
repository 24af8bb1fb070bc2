// effect: requests to the API server
// Gives every namespace its service account `default` and the ConfigMap kube-root-ca.crt.

import { configMaps, namespaces, serviceAccounts } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import { isAlreadyExists } from '#client/client.ts'
import type { Act } from '#client/control/act.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { planDefaultAccount, planRootCa, rootCaName } from '#controllers/service-account/plan.ts'
import { isNamespaceGoing } from '#client/control/writer.ts'

export const serviceAccountController: Controller = {
  name: 'serviceaccount-controller',
  alias: 'serviceaccount',
  start(context) {
    const accounts = context.caches.of(serviceAccounts)
    return inEveryNamespace(context, 'serviceaccount', serviceAccounts, 'default', (namespace) =>
      planDefaultAccount(namespace, accounts.get(`${namespace.metadata.name}/default`)),
    )
  },
}

export const rootCaPublisher: Controller = {
  name: 'root-ca-certificate-publisher-controller',
  alias: 'root-ca-cert-publisher',
  async start(context) {
    const { rootCa } = context.settings
    if (rootCa === undefined) return
    const maps = context.caches.of(configMaps)
    await inEveryNamespace(context, 'root_ca_cert_publisher', configMaps, rootCaName, (namespace) =>
      planRootCa(namespace, maps.get(`${namespace.metadata.name}/${rootCaName}`), rootCa),
    )
  },
}

type StoredNamespace = Parameters<typeof planDefaultAccount>[0]

/** Keeps one object of a fixed name in every namespace. */
async function inEveryNamespace<T extends ApiObject>(
  context: ControllerContext,
  name: string,
  resource: Resource<T>,
  objectName: string,
  plan: (namespace: StoredNamespace) => readonly Act[],
): Promise<void> {
  const { caches, signal } = context
  const all = caches.of(namespaces)
  const writer = context.writer(name)
  const queue = context.queue(name, 2, async (key) => {
    const namespace = all.get(key)
    if (namespace === undefined) return
    try {
      await writer.perform(plan(namespace), signal)
    } catch (error) {
      if (!isNamespaceGoing(error) && !isAlreadyExists(error)) throw error
    }
  })
  all.listen(({ key }) => queue.mark(key))
  caches.of(resource).listen(({ value }) => {
    if (value.metadata.name === objectName) queue.mark(value.metadata.namespace)
  })
  await caches.synced()
  await queue.run(signal)
}
