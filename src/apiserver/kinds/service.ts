// Services. What they may say is in api/service; what they take from the cluster is in allocate/.

import type { Kind } from '#apiserver/kind.ts'
import { admitAllocation, releaseService } from '#apiserver/allocate/admit.ts'
import type { Book } from '#apiserver/allocate/load.ts'
import { allocateCreate, allocateUpdate } from '#apiserver/allocate/service.ts'
import { age, ageColumn, labelsText, nameColumn, nameOf, text, wide } from '#apiserver/kinds/cells.ts'
import { proxyToService } from '#apiserver/kinds/proxied.ts'
import { endpoints, type Service, services } from '#api/core.ts'
import { dns1123Label } from '#api/names.ts'
import { defaultService } from '#api/service/defaults.ts'
import { externalIpText, portsText } from '#api/service/summary.ts'
import { dropForeignFields } from '#api/service/transition.ts'
import { specOf } from '#api/service/traits.ts'
import { validateServiceStatus } from '#api/service/validate-status.ts'
import { validateServiceUpdate } from '#api/service/validate-update.ts'
import { validateService } from '#api/service/validate.ts'
import { warnAboutService } from '#api/service/warnings.ts'

export function serviceKind(book: Book): Kind<Service> {
  return {
    resource: services,
    type: 'core.Service',
    singular: 'service',
    shortNames: ['svc'],
    categories: ['all'],
    columns: [
      nameColumn,
      text('Type'),
      text('Cluster-IP'),
      text('External-IP'),
      text('Port(s)'),
      ageColumn,
      wide('Selector'),
    ],
    row: (service, nowMs) => [
      nameOf(service),
      specOf(service).type ?? '',
      specOf(service).clusterIPs?.[0] ?? '<none>',
      externalIpText(service),
      portsText(service),
      age(service, nowMs),
      labelsText(specOf(service).selector),
    ],
    name: (name) => dns1123Label(name)[0],
    default: defaultService,
    prepareCreate: (service) => ({ ...service, status: { loadBalancer: {} } }),
    prepareUpdate: (service, old) => ({ ...service, status: old.status ?? { loadBalancer: {} } }),
    validate: (service, old) => (old ? validateServiceUpdate(service, old) : validateService(service, undefined)),
    warnings: warnAboutService,
    createOnUpdate: true,
    answersDeleted: true,
    status: { validate: validateServiceStatus },
    proxy: proxyToService,
    fields: (service) => ({
      'spec.clusterIP': specOf(service).clusterIP ?? '',
      'spec.type': specOf(service).type ?? '',
    }),
    admit: {
      create: (service, context) =>
        admitAllocation(book, (ledger, options) => allocateCreate(service, ledger, options), context),
      async update(service, old, context) {
        const answer = await admitAllocation(
          book,
          (ledger, options) => allocateUpdate(service, old, ledger, options),
          context,
        )
        return answer.kind === 'admitted' ? { ...answer, object: dropForeignFields(answer.object, old) } : answer
      },
      async deleted(service, context) {
        await releaseService(book, service, context)
        // A new Service of this name must not begin with the addresses of the old one.
        await context.objects.delete(endpoints, context.namespace, context.name)
      },
    },
  }
}
