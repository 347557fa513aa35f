/** The conformance suite, on the real store. */

import { storeSuite } from "./store-suite.ts";
import { postgresStore } from "./support/bed.ts";

storeSuite(postgresStore);
