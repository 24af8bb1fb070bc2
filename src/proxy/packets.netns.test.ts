// What real packets meet in the default mode, and in IPVS mode where the kernel has it (the virtual machine).
import { packets } from '#test/proxy-packets.ts'

packets(['nftables', 'ipvs'])
