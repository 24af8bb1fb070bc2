// effect: iptables programs
// Reads and writes whole tables: iptables-save and iptables-restore. A restore with --noflush leaves every chain alone
// that its text does not name, and each table changes in one step.
import { type Iptables, IptablesError, runProgram } from '#kernel/iptables/program.ts'

const lockWaitSeconds = 5

/** The text of iptables-save of one table, `filter`, `nat` or `mangle`. Throws IptablesError. */
export const saveTable = ({ saveCommand, netns }: Iptables, table: string): Promise<string> =>
  runProgram(saveCommand, ['-t', table], { netns })

export type SavedTables = Readonly<Record<'filter' | 'nat' | 'mangle', string>>

/** The same of all three by one run of the program; the text of a table that nobody has used yet is empty. */
export async function saveTables({ saveCommand, netns }: Iptables): Promise<SavedTables> {
  const text = await runProgram(saveCommand, [], { netns })
  const tableOf = (name: string) => {
    const start = text.startsWith(`*${name}\n`) ? 0 : text.indexOf(`\n*${name}\n`) + 1
    return start === 0 && !text.startsWith(`*${name}\n`) ? '' : text.slice(start, text.indexOf('\nCOMMIT\n', start) + 8)
  }
  return { filter: tableOf('filter'), nat: tableOf('nat'), mangle: tableOf('mangle') }
}

/**
 * Gives `text` to iptables-restore --noflush --counters. Throws IptablesError; where one line is at fault, the message
 * quotes it and `line` counts from 1.
 */
export async function restoreTables({ restoreCommand, netns }: Iptables, text: string): Promise<void> {
  const words = ['-w', `${lockWaitSeconds}`, '--noflush', '--counters']
  try {
    await runProgram(restoreCommand, words, { input: text, netns })
  } catch (error) {
    if (!(error instanceof IptablesError) || error.line === undefined) throw error
    const line = text.split('\n')[error.line - 1]
    throw new IptablesError(error.code, `${error.message}${line === undefined ? '' : ` (${line})`}`, error.line)
  }
}
