// Tests inside a virtual machine with Debian's kernel, for what the kernel here may lack.
import { fairway, type Ran } from '#test/fairway.ts'
import { need } from '#test/need.ts'

/** For `test(name, { skip: needVm() }, ...)`. */
export const needVm = (): string | false => need({ root: true, programs: ['qemu-system-x86_64'] })

export type VmRun = {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly memoryMb?: number
  /** more flags of `fairway vm` */
  readonly flags?: readonly string[]
  readonly timeout?: string
}

/** Runs a command in a machine of its own, to its end. The folder is that of the checkout; what it writes is lost. */
export const inVm = (
  command: readonly string[],
  { env, input, flags = [], memoryMb = 2048, timeout = '8m' }: VmRun = {},
): Ran =>
  fairway(['vm', '--memory', String(memoryMb), '--timeout', timeout, ...flags, '--', ...command], {
    ...(env && { env }),
    ...(input !== undefined && { input }),
  })

/**
 * Runs test files in a machine of their own; throws with their report where one fails, or none is run. `modules` are loaded
 * first; `only`: tests whose name matches.
 */
export function testInVm(
  files: readonly string[],
  modules: readonly string[] = [],
  { only, ...run }: VmRun & { readonly only?: string } = {},
): void {
  // The runner here must not take the one in there for a part of itself.
  const node = 'env -u NODE_TEST_CONTEXT sh scripts/node --test --test-concurrency=1'
  const names = only === undefined ? '' : ` --test-name-pattern='${only}'`
  const load = modules.length === 0 ? 'true' : `modprobe -a ${modules.join(' ')}`
  const words = ['sh', '-c', `${load} && exec ${node} --test-reporter=spec${names} "$@"`, 'sh', ...files]
  const { status, stdout, stderr } = inVm(words, run)
  const passed = Number(/^ℹ pass (\d+)$/m.exec(stdout)?.[1] ?? 0)
  if (status !== 0 || passed === 0)
    throw new Error(`${files.join(' ')} failed in the virtual machine:\n${stdout}${stderr}`)
}
