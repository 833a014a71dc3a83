/** The package has no types of its own. Those of version 5 have what the tests use. */
declare module "express-4" {
  import express = require("express");

  export = express;
}
