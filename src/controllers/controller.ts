// What a controller of this room is, and what each one is given.

import type * as control from '#client/control/controller.ts'
import type { Settings } from '#controllers/flags.ts'

export type Controller = control.Controller<Settings>
export type ControllerContext = control.ControllerContext<Settings>
