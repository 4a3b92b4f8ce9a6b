import type { Controller } from '../contracts/controller.ts'
import { detector } from './controllers/detector.ts'
import { dispatcher } from './controllers/dispatcher.ts'
import { escalator } from './controllers/escalator.ts'

export const sevControllers: readonly Controller[] = [detector, escalator, dispatcher]
