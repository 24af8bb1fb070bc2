// What real packets meet in iptables mode, by both back ends.
import { packets } from '#test/proxy-packets.ts'

packets(['iptables (nft)', 'iptables (legacy)'])
