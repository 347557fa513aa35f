/** The conformance suite, on the real store. */
import { postgresStore } from "./support/bed.ts";
import { storeSuite } from "./store-suite.ts";

storeSuite(postgresStore);
