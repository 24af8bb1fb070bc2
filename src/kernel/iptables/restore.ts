// effect: iptables programs
// Reads and writes whole tables: iptables-save and iptables-restore. A restore with --noflush leaves every chain alone
// that its text does not name, and each table changes in one step.
import { type Iptables, IptablesError, runProgram } from '#kernel/iptables/program.ts'

const lockWaitSeconds = 5

/** The text of iptables-save of one table, `filter`, `nat` or `mangle`. Throws IptablesError. */
export async function saveTable(iptables: Iptables, table: string): Promise<string> {
  const { stdout } = await runProgram(iptables.saveCommand, ['-t', table])
  return stdout
}

/**
 * Gives `text` to iptables-restore --noflush --counters. Throws IptablesError; where one line is at fault, the message
 * quotes it and `line` counts from 1.
 */
export async function restoreTables(iptables: Iptables, text: string): Promise<void> {
  try {
    await runProgram(iptables.restoreCommand, ['-w', `${lockWaitSeconds}`, '--noflush', '--counters'], text)
  } catch (error) {
    if (!(error instanceof IptablesError) || error.line === undefined) throw error
    const line = text.split('\n')[error.line - 1]
    throw new IptablesError(error.code, `${error.message}${line === undefined ? '' : ` (${line})`}`, error.line)
  }
}
