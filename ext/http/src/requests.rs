//! The requests of one connection on their way to the script.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use http::Request;
use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;

use crate::clock::Clock;
use crate::exchange::Answer;
use crate::exchange::Exchange;
use crate::exchange::ResponseBody;
use crate::exchange::Server;
use crate::exchange::Upgrade;
use crate::limits::ServerLimits;
use crate::peer::Peer;
use crate::received_body::ReceivedBody;

/// The service that hyper calls for each request of one connection.
pub(crate) struct Requests {
    server: Rc<Server>,
    peer: Peer,
    clock: Arc<Clock>,
    /// The answer to the first request, if the script was handed that request
    /// before.
    first: RefCell<Option<Answer>>,
}

impl Requests {
    /// `first` is the answer to the first request, if the script has that request already.
    pub(crate) fn new(
        server: Rc<Server>,
        peer: Peer,
        clock: Arc<Clock>,
        first: Option<Answer>,
    ) -> Self {
        Self {
            server,
            peer,
            clock,
            first: RefCell::new(first),
        }
    }

    /// The server of the requests.
    pub(crate) fn server(&self) -> &Rc<Server> {
        &self.server
    }

    /// Whether the script has the first request already.
    pub(crate) fn has_first(&self) -> bool {
        self.first.borrow().is_some()
    }

    /// The limits of the server.
    pub(crate) fn limits(&self) -> ServerLimits {
        *self.server.limits()
    }

    /// Hands a request to the script.
    pub(crate) fn start(
        &self,
        head: Parts,
        body: ReceivedBody,
        upgrade: Option<Upgrade>,
    ) -> Answer {
        let in_flight = self.clock.exchange(head.version);
        Exchange::start(
            self.server.clone(),
            self.peer,
            in_flight,
            head,
            body,
            upgrade,
        )
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let (mut head, body) = request.into_parts();
        let body = ReceivedBody::http1(body, self.clock.clone());
        let upgrade = head.extensions.remove::<OnUpgrade>().map(Upgrade::Http1);
        match self.first.take() {
            Some(answer) => {
                let in_flight = self.clock.exchange(head.version);
                answer.exchange().resume(body, upgrade, in_flight);
                answer
            }
            None => self.start(head, body, upgrade),
        }
    }
}
