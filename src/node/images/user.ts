// Who an image's process is: the User of its configuration, looked up in the image's own passwd and group files.

export type ImageUser = {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly home: string
  /** the user is named, so that nobody can know before whether it is root */
  readonly isNamed: boolean
}

/** undefined where the image does not know the user or the group. `passwd` and `group` are the files' texts. */
export function resolveUser(
  text: string,
  files: { readonly passwd: string; readonly group: string },
): ImageUser | undefined {
  const [user = '', group] = text.split(':', 2)
  const known = lines(files.passwd).find(([name, , uid]) => name === user || uid === (user || '0'))
  const uid = isNumber(user) ? Number(user) : user === '' ? 0 : Number(known?.[2] ?? Number.NaN)
  const gid = group === undefined || group === '' ? Number(known?.[3] ?? 0) : groupId(group, files.group)
  if (Number.isNaN(uid) || gid === undefined) return undefined
  const name = known?.[0]
  const groups = lines(files.group).flatMap(([, , id, members = '']) =>
    name !== undefined && group === undefined && members.split(',').includes(name) ? Number(id) : [],
  )
  return { uid, gid, groups, home: known?.[5] || '/', isNamed: user !== '' && !isNumber(user) }
}

function groupId(text: string, file: string): number | undefined {
  if (isNumber(text)) return Number(text)
  const found = lines(file).find(([name]) => name === text)?.[2]
  return found === undefined ? undefined : Number(found)
}

const isNumber = (text: string): boolean => /^\d+$/.test(text)
const lines = (file: string): readonly (readonly string[])[] =>
  file
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'))
