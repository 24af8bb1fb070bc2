// Tables in READMEs that programs write.
import { readFileSync, writeFileSync } from 'node:fs'

const pattern = (name: string) => new RegExp(`(<!-- ${name}: npm run tables -->\\n\\n)([^]*?)(\\n\\n<!-- end -->)`)

export function readTable(file: string, name: string): string {
  const table = pattern(name).exec(readFileSync(file, 'utf8'))?.[2]
  if (table === undefined) throw new Error(`${file} has no place for the table ${name}`)
  return table
}

export function writeTable(file: string, name: string, table: string): void {
  readTable(file, name)
  const text = readFileSync(file, 'utf8')
  writeFileSync(
    file,
    text.replace(pattern(name), (_, before: string, _old, after: string) => `${before}${table}${after}`),
  )
}
