// Lists of numbers as a Job's status has them: `1,3-5,7`.

export function parseIndexes(text: string | undefined): ReadonlySet<number> {
  const indexes = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? []
    if (first === undefined) continue
    for (let index = Number(first); index <= Number(last); index++) indexes.add(index)
  }
  return indexes
}

export function formatIndexes(indexes: Iterable<number>): string {
  const parts: string[] = []
  let first: number | undefined
  let last = -2
  const close = () => {
    if (first !== undefined)
      parts.push(first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`)
  }
  for (const index of [...new Set(indexes)].sort((a, b) => a - b)) {
    if (index !== last + 1) {
      close()
      first = index
    }
    last = index
  }
  close()
  return parts.join(',')
}
