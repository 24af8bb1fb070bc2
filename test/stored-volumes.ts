// Volumes and claims for the binder's tests, as a server stores them.
import type { Claim, Volume } from '#controllers/volume-binder/match.ts'
import { meta } from '#test/stored-objects.ts'

type Loose = { readonly [key: string]: unknown }

/** 10Gi, ReadWriteOnce, Available, kept when its claim goes. */
export const volume = (
  name: string,
  size = '10Gi',
  spec: Loose = {},
  status: Loose = {},
  metadata: Loose = {},
): Volume =>
  ({
    metadata: meta(name, { namespace: undefined, ...metadata }),
    spec: {
      capacity: { storage: size },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: '/x' },
      ...spec,
    },
    status: { phase: 'Available', ...status },
  }) as unknown as Volume

/** `default/claim`: 10Gi, ReadWriteOnce, Pending, without a class. */
export const claim = (spec: Loose = {}, status: Loose = {}, metadata: Loose = {}): Claim =>
  ({
    metadata: meta('claim', metadata),
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } }, ...spec },
    status: { phase: 'Pending', ...status },
  }) as unknown as Claim
