import { show } from '../shell/shell.tsx'
import { StorePage } from '../store/store-page.tsx'

show(<StorePage />)
