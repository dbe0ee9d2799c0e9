console.log("first line");
