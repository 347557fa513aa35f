/** The conformance suite, on the store in memory. */

import { storeSuite } from "../storage/store-suite.ts";
import { memoryStore } from "./memory-bed.ts";

storeSuite(memoryStore);
