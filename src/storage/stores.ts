// effect: files
// The folders of one node, in which volumes lie: one for classes that name none, others by name.

import type { VolumeStore } from '#storage/volume-store.ts'

export type Stores = {
  readonly main: VolumeStore
  /** by what the class's parameter `folder` calls them */
  readonly named: ReadonlyMap<string, VolumeStore>
}

export const allStores = ({ main, named }: Stores): readonly VolumeStore[] => [main, ...named.values()]

/** Where a volume lies that has this path; one whose folder is not known any more is looked for in the main one. */
export const storeOf = (stores: Stores, path: string): VolumeStore =>
  allStores(stores).find((store) => store.holds(path)) ?? stores.main
