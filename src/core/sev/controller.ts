import type { Controller } from '../contracts/controller.ts'
import { detector } from './controllers/detector.ts'
import { dispatcher } from './controllers/dispatcher.ts'
import { escalator } from './controllers/escalator.ts'
import { watchdog } from './controllers/watchdog.ts'

export const sevControllers: readonly Controller[] = [detector, escalator, dispatcher, watchdog as Controller]
