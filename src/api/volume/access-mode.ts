// How many nodes and pods may use a volume, and how.

import { type FieldError, forbidden, notSupported } from '#api/field-error.ts'

const modes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

export function checkAccessModes(given: readonly string[], path: string): FieldError[] {
  const unknown = given.filter((mode) => !modes.includes(mode)).map((mode) => notSupported(path, mode, modes))
  const known = given.filter((mode) => modes.includes(mode))
  const isMixed = known.includes('ReadWriteOncePod') && known.some((mode) => mode !== 'ReadWriteOncePod')
  return isMixed ? [...unknown, forbidden(path, 'may not use ReadWriteOncePod with other access modes')] : unknown
}

const short: readonly (readonly [string, string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
]

/** `RWO,ROX`, in the order in which kubectl names them. */
export function accessModesText(given: readonly string[] | undefined): string {
  return short
    .filter(([mode]) => given?.includes(mode))
    .map(([, text]) => text)
    .join(',')
}
